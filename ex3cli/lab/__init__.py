"""A small GAN on points in the plane: trained, measured, drawn and replayed."""

"""What the adversarial features share: objectives of GAN and WGAN, gradient penalty, weight clipping."""

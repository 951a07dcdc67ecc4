"""M1 (Kingsma, Rezende, Mohamed and Welling 2014): a variational autoencoder's features and an SVM with few
labels.
"""

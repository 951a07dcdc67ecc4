"""Classification from few labels: SVM, label spreading, baselines, the paper's table."""

"""The domain classifier: what metrics, sampling and judging of generated images see them with."""

"""The pre-flight: whether settings, layouts, places, stores and Segment fit together. It changes none of them."""

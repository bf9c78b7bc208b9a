"""The pre-flight: whether settings, layouts, places, stores and Segment fit together. It leaves them as they are."""

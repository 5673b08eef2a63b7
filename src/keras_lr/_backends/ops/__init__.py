"""What backends have in common and `keras.ops` can say."""

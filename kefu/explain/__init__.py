"""Scores in words: why a person got what they got, what a team did, and how our score differs from another sheet."""

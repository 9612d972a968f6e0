"""What was measured in people and animals, beside what the models predict: claims, fits, virtual trials.

``claims`` is the table of it all, met or missed; ``cardiovascular`` and ``oncology`` write the documents;
``predictions`` writes down what has no outcome yet.
"""

"""Kefu: from the source systems of a contact centre to explainable, closed appraisals."""

"""From FHIR elements to quantities, concepts and days: nothing here knows files or patients' names."""

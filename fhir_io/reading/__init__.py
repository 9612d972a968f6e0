"""Reading: from files in any of the shapes that FHIR is exported in to one stream of resources.

``fhir_io.read`` is the face of this package.
"""

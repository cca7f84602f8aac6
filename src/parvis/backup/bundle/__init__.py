"""All that a tenant has, in one bundle of open formats: a ZIP file, or a folder. Its README says what is where."""

require('./serve')(module)

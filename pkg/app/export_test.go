package app

// Handler lets tests speak to an App over HTTP without a server.
var Handler = (*App).handler

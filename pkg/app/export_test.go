package app

// Handler lets tests speak to an App over HTTP without a server.
var Handler = (*App).handler

// NewLimitedServer is NewHTTPServer with another limit on connections.
var NewLimitedServer = newHTTPServer

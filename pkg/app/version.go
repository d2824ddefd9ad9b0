package app

// Version is Tocsin's version, set at build time.
var Version = "dev"

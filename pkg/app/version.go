package app

// Version is Tocsin's own, set at build time.
var Version = "dev"

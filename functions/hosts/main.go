// Hosts is the timer function that detects silent hosts and sends due
// notifications. The webhook function receives the hosts' heartbeats.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeTimer(app.HostsFunction) }

// Hosts is the timer function that checks for silent hosts and delivers what is due.
// The webhook function receives their reports.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeTimer(app.HostsFunction) }

// Hosts is the timer function that finds hosts that fell silent, and says what is
// due. The webhook function takes their reports.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeTimer(app.HostsFunction) }

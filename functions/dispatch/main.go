// Dispatch is the timer function that flushes due groups and delivers pending
// notifications.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeTimer(app.DispatchFunction) }

// Lag is the timer function that polls consumer lag and sends due
// notifications.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeTimer(app.LagFunction) }

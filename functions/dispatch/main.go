// Dispatch is the timer function that sends due notifications and retries
// pending ones.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeTimer(app.DispatchFunction) }

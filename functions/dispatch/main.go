// Dispatch is the timer function that says what is due and tries again what is
// owed.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeTimer(app.DispatchFunction) }

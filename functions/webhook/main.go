// Webhook is the HTTP function that receives other systems' alerts and hosts'
// reports, and delivers what is due. It serves the paths of `tocsin serve`.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeHTTP(app.WebhookFunction) }

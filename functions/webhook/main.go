// Webhook is the HTTP function that receives alerts from other systems and
// sends due notifications. It has the same HTTP interface as `tocsin serve`.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeHTTP(app.WebhookFunction) }

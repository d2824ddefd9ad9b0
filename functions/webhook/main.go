// Webhook is the HTTP function that takes other systems' alerts in and says what
// is due. It answers as `tocsin serve` does.
package main

import (
	"tocsin/pkg/app"
	"tocsin/pkg/faas"
)

func main() { faas.ServeHTTP(app.WebhookFunction) }

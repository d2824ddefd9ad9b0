//go:build nokafka

package app

import (
	"errors"
	"net/http"

	"tocsin/pkg/lag"
)

// kafkaReader fails. Functions that poll over the CKafka API only are built without
// Kafka's protocol, which is a quarter of their size and of their start time.
func kafkaReader(lag.Cluster, func(string) (string, bool), http.RoundTripper) (lag.Reader, error) {
	return nil, errors.New("this binary was built without Kafka's protocol: run ./scripts/build again with this tocsin.yaml in place")
}

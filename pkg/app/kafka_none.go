//go:build nokafka

package app

import (
	"errors"

	"tocsin/pkg/lag"
)

// kafkaReader is left out of functions that poll by the CKafka API alone: Kafka's
// protocol is a quarter of their size, and of the time that they take to start.
func kafkaReader(lag.Cluster, func(string) (string, bool)) (lag.Reader, error) {
	return nil, errors.New("this binary was built without Kafka's protocol: run ./scripts/build again with this tocsin.yaml in place")
}

//go:build !nokafka

package app

import (
	"net/http"

	"tocsin/pkg/lag"
	"tocsin/pkg/lag/kafka"
)

// kafkaReader reads a cluster by Kafka's own protocol.
func kafkaReader(c lag.Cluster, lookup func(string) (string, bool), rt http.RoundTripper) (lag.Reader, error) {
	return kafka.New(c, lookup, rt)
}

//go:build !nokafka

package app

import (
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/kafka"
)

// kafkaReader reads a cluster by Kafka's own protocol.
func kafkaReader(c lag.Cluster, lookup func(string) (string, bool)) (lag.Reader, error) {
	return kafka.New(c, lookup)
}

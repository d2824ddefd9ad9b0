// Fetch downloads the releases of Kafka that the tests run. It prints one line for each
// that this machine cannot run, with the reason.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tocsin/test/kafka/broker"
)

func main() {
	for _, version := range broker.Versions {
		_, err := broker.Jars(context.Background(), version)
		if _, ok := errors.AsType[*broker.UnavailableError](err); ok {
			fmt.Printf("Kafka %s: %v\n", version, err)
		} else if err != nil {
			fmt.Fprintf(os.Stderr, "Kafka %s: %v\n", version, err)
			os.Exit(1)
		}
	}
}

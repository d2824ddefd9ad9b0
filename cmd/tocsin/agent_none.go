//go:build !linux

package main

import (
	"context"
	"errors"
)

func runAgent(context.Context, *call) error {
	return errors.New("the host agent runs on Linux")
}

//go:build !linux

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newAgentCommand(*tool) *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "Run the host agent (on Linux only)",
		RunE:  func(*cobra.Command, []string) error { return errors.New("the host agent runs on Linux") },
	}
}

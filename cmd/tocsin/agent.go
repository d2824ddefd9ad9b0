//go:build linux

package main

import (
	"github.com/spf13/cobra"

	"tocsin/pkg/app"
	"tocsin/pkg/host/agent"
)

func newAgentCommand(t *tool) *cobra.Command {
	return agent.NewCommand(agent.CommandConfig{
		Path: "tocsin agent", Version: app.Version,
		Stdout: t.stdout, Stderr: t.stderr, Lookup: t.lookup, Usagef: usagef,
	})
}

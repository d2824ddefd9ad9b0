//go:build !linux

package agent

import "os/exec"

// startMarked starts a plugin.
func startMarked(cmd *exec.Cmd) (mark string, err error) { return "", cmd.Start() }

// killOrphans does nothing: only the plugin's process group is killed.
func killOrphans(int, string) {}

// Command tocsin is the tool for people: it checks a configuration, shows lag,
// sends a test, runs everything in one process, and shows on one machine what
// the functions do in a cloud.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // zones on machines that have none

	"tocsin/pkg/app"
	"tocsin/pkg/config"
)

// command is one of tocsin's commands.
type command struct {
	name, args, does string
	run              func(ctx context.Context, c *call) error
}

var commands = []command{
	{"dev", "[--once] [--listen 127.0.0.1:9093] [--config F]", "a local cloud with a Kafka in it, and what Tocsin says of it", dev},
	{"serve", "--config.file F [--web.listen-address :9093] [--storage.path DIR]", "everything in one process, for real use", serve},
	{"check-config", "[F] [--sample FILE --hook generic/NAME]", "everything that is wrong with a configuration, or what a hook makes of a message", checkConfig},
	{"lag", "[--config F] [--cluster N] [--group G] [--topic T] [--sort name,lag,delay,in,out,state] [--watch] [--every 10s] [--chart] [-o table,json]", "consumer lag now, or as it goes", showLag},
	{"dead", "[--resend ID|all] [--config F]", "what nobody could be told, to be sent again", dead},
	{"send", "--receiver R [--config F]", "a test notification through a receiver", send},
	{"agent", "--server URL --id ID --token-file F [--state DIR] [--plugins DIR] [--buffer 64MiB] | status [--state DIR] [-o table,json]", "collects on a host what the server asks for, and reports it", runAgent},
	{"render", "--receiver R --alert FILE [--config F]", "what a receiver would be told of alerts, without telling it", renderAlerts},
}

// call is one call of a command.
type call struct {
	flags          *flag.FlagSet
	args           []string
	words          []string // the arguments that are not flags, after parse
	stdout, stderr io.Writer
	lookup         func(string) (string, bool)
}

// errUsage marks an error that is the caller's way of calling.
var errUsage = errors.New("wrong usage")

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUsage}, args...)...)
}

// parse reads the flags, before, between and after the arguments, of which there
// must be between least and most.
func (c *call) parse(least, most int) error {
	for rest := c.args; ; rest = c.flags.Args()[1:] {
		if err := c.flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return usagef("%v", err)
		}
		if c.flags.NArg() == 0 {
			break
		}
		c.words = append(c.words, c.flags.Arg(0))
	}
	if n := len(c.words); n < least || n > most {
		return usagef("%d arguments beside the flags, want %d", n, most)
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv))
}

// run does what args ask for and returns the exit status: 0 done, 1 failed, 2
// wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, lookup func(string) (string, bool)) int {
	if len(args) == 0 {
		usage(stderr)
		return 2
	}
	if args[0] == "version" || args[0] == "--version" {
		fmt.Fprintln(stdout, "tocsin, version", app.Version)
		return 0
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(stdout)
		return 0
	}
	for _, cmd := range commands {
		if cmd.name != args[0] {
			continue
		}
		flags := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		c := &call{flags: flags, args: args[1:], stdout: stdout, stderr: stderr, lookup: lookup}
		err := cmd.run(ctx, c)
		var faults config.Faults
		switch {
		case err == nil:
			return 0
		case errors.Is(err, flag.ErrHelp):
			fmt.Fprintf(stdout, "tocsin %s %s\n    %s\n", cmd.name, cmd.args, cmd.does)
			return 0
		case errors.Is(err, errUsage):
			fmt.Fprintf(stderr, "tocsin %s: %v; usage: tocsin %s %s\n", cmd.name, err, cmd.name, cmd.args)
			return 2
		case errors.As(err, &faults):
			fmt.Fprintln(stderr, faults)
			return 1
		default:
			fmt.Fprintf(stderr, "tocsin %s: %s\n", cmd.name, strings.ReplaceAll(err.Error(), "\n", "; "))
			return 1
		}
	}
	fmt.Fprintf(stderr, "tocsin: there is no command %q; see tocsin help\n", args[0])
	return 2
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Tocsin watches Kafka consumer lag and tells the right people once.\n\n")
	for _, cmd := range commands {
		fmt.Fprintf(w, "  tocsin %s %s\n      %s\n", cmd.name, cmd.args, cmd.does)
	}
}

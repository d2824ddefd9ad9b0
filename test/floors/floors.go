// Package floors knows which room of the module may import which: the house
// stands only as long as no import runs upward.
package floors

import (
	"fmt"
	"strings"
)

// floors are the rooms from the ground up. A package belongs to the room with
// the longest name that is its own or leads to it.
var floors = [][]string{
	{"pkg/alert", "pkg/chart", "pkg/store", "pkg/setting", "pkg/matcher", "pkg/humanize", "pkg/tencent", "pkg/faas", "pkg/metrics", "pkg/localcloud"},
	{"pkg/render"},
	{"pkg/notify"},                          // the contract
	{"pkg/notify/chat", "pkg/notify/phone"}, // the bases of chat and of phone channels
	{"pkg/notify/wecom"},                    // shared by WeCom's two channels
	{"pkg/notify/*", "pkg/intake"},          // * is one folder, a room of its own
	{"pkg/outbox", "pkg/route", "pkg/silence", "pkg/inhibit"},
	{"pkg/lag", "pkg/host", "pkg/dispatch", "pkg/api"},
	{"pkg/config"},
	{"pkg/app"},
	{"functions", "cmd"},
	{"test"},
}

// Import is one package's import of another. Both are paths below the module.
type Import struct{ From, To string }

// Check returns what is wrong with the imports, none of them a test's, one line
// for each fault.
func Check(imports []Import) []string {
	var faults []string
	for _, i := range imports {
		if why := check(i); why != "" {
			faults = append(faults, fmt.Sprintf("%s imports %s: %s", i.From, i.To, why))
		}
	}
	return faults
}

func check(i Import) string {
	from, fromFloor := roomOf(i.From)
	to, toFloor := roomOf(i.To)
	switch {
	case from == "" || to == "":
		return "one of them is in no known room: give it a floor in test/floors/floors.go"
	case from == "test", from == to && !within(i.To, "pkg/host/agent"):
		return ""
	case to == "test":
		return "only tests may use test"
	case from == "pkg/localcloud":
		return "the local cloud is the outside world and shares nothing with the product"
	case to == "pkg/localcloud":
		if within(i.From, "cmd/tocsin") || i.From == "pkg/notify/notifytest" {
			return ""
		}
		return "only cmd/tocsin and tests may use the local cloud"
	case to == "pkg/notify/notifytest":
		return "only tests may use notifytest"
	case within(i.To, "pkg/host/agent") && !within(i.From, "cmd/tocsin") && !within(i.From, "cmd/tocsin-agent"):
		return "the agent runs on hosts and is no part of functions"
	case isChannel(from) && isChannel(to):
		return "a channel knows no other channel"
	case isChannel(from) && to == "pkg/dispatch":
		return "a channel knows nothing of dispatch"
	case from == "pkg/outbox" && isDecision(to):
		return "the outbox knows nothing of routing"
	case isDecision(from) && (isDecision(to) || to == "pkg/outbox"):
		return "routes, silences and inhibition know nothing of each other and of the outbox"
	case from == "pkg/faas" && to == "pkg/alert":
		return "faas knows nothing of alerts"
	case toFloor > fromFloor:
		return fmt.Sprintf("upward, from floor %d to floor %d", fromFloor, toFloor)
	}
	return ""
}

// roomOf returns the room of a package and its floor, "" if there is none.
func roomOf(pkg string) (room string, floor int) {
	for n, rooms := range floors {
		for _, name := range rooms {
			parent, many := strings.CutSuffix(name, "*")
			if many && strings.HasPrefix(pkg, parent) {
				folder, _, _ := strings.Cut(pkg[len(parent):], "/")
				name = parent + folder
			}
			if within(pkg, name) && len(name) > len(room) {
				room, floor = name, n
			}
		}
	}
	return room, floor
}

func within(pkg, room string) bool {
	return pkg == room || strings.HasPrefix(pkg, room+"/")
}

// isDecision reports whether a room is one of Alertmanager's three decisions.
func isDecision(room string) bool {
	return room == "pkg/route" || room == "pkg/silence" || room == "pkg/inhibit"
}

// isChannel reports whether a room is one channel, and not code that several
// channels share.
func isChannel(room string) bool {
	switch room {
	case "pkg/notify/phone", "pkg/notify/chat", "pkg/notify/wecom":
		return false
	}
	return strings.HasPrefix(room, "pkg/notify/")
}

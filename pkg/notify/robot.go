package notify

import (
	"net/url"
	"strings"

	"tocsin/pkg/setting"
)

// ValidateRobotURL adds to f what is wrong with a group robot's webhook address,
// the key url, whose secret is a parameter of its query. An alert may choose among
// robots by a template in the query, and never the server. example is such an
// address, to be shown.
func ValidateRobotURL(f *setting.Faults, address setting.Secret, parameter, example string) {
	if address == "" {
		f.Addf("url", "is missing: it is the robot's webhook address, %s", example)
		return
	}
	fixed, _, templated := strings.Cut(string(address), "{{")
	if templated && !strings.Contains(fixed, "?") {
		f.Addf("url", "only what follows the question mark can be a template: alerts must not choose the server")
		return
	}
	u, err := url.Parse(fixed)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		f.Addf("url", "is not an https address: it looks like %s", example)
	case !templated && u.Query().Get(parameter) == "":
		f.Addf("url", "has no %s: copy the robot's whole webhook address, it looks like %s", parameter, example)
	case u.Scheme == "http" && !setting.IsLoopback(u.Hostname()):
		f.Warnf("url", "is plain http: everybody on the way can read the robot's %s", parameter)
	}
}

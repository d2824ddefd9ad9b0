package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// CheckPolicy checks that a CAM policy allows exactly these actions, each written
// out. It returns the faults.
func CheckPolicy(data []byte, actions []string) (faults []string) {
	var p struct {
		Version   string `json:"version"`
		Statement []struct {
			Effect   string   `json:"effect"`
			Action   []string `json:"action"`
			Resource []string `json:"resource"`
		} `json:"statement"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return []string{err.Error()}
	}
	if p.Version != "2.0" {
		faults = append(faults, fmt.Sprintf("version is %q, want 2.0", p.Version))
	}
	var allowed []string
	for _, s := range p.Statement {
		if s.Effect != "allow" || len(s.Resource) == 0 {
			faults = append(faults, fmt.Sprintf("statement of %q: effect must be allow, with a resource", s.Action))
		}
		allowed = append(allowed, s.Action...)
	}
	for _, a := range actions {
		if !slices.Contains(allowed, a) {
			faults = append(faults, a+" is called but not allowed")
		}
	}
	for _, a := range allowed {
		if !slices.Contains(actions, a) {
			faults = append(faults, a+" is allowed but never called")
		}
	}
	return faults
}

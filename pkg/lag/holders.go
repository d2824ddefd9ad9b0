package lag

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxHolders is how many members an alert names.
const maxHolders = 5

// Holder is a member to which listed partitions of an alert are assigned.
type Holder struct {
	ClientID, Host string
	Partitions     []int32
}

// String returns the member with its partitions, such as "orders-1 (10.0.0.7): 3,7".
func (h Holder) String() string {
	ids := make([]string, len(h.Partitions))
	for i, id := range h.Partitions {
		ids[i] = strconv.Itoa(int(id))
	}
	return fmt.Sprintf("%s (%s): %s", h.ClientID, h.Host, strings.Join(ids, ","))
}

// holders returns the members of a described group to which partitions of a topic are
// assigned, in the order of the partitions.
func holders(g *Group, topic string, partitions []Partition) []Holder {
	var out []Holder
	indexes := map[int]int{} // in out, by that of the member
	for _, p := range partitions {
		for m, member := range g.Members {
			if !slices.Contains(member.Partitions[topic], p.ID) {
				continue
			}
			i, found := indexes[m]
			if !found {
				if len(out) == maxHolders {
					continue
				}
				i, indexes[m] = len(out), len(out)
				// Brokers write an address as Java does: /10.0.0.7.
				out = append(out, Holder{ClientID: member.ClientID, Host: strings.TrimPrefix(member.Host, "/")})
			}
			out[i].Partitions = append(out[i].Partitions, p.ID)
		}
	}
	return out
}

// formatHolders returns members as text.
func formatHolders(holders []Holder) string {
	texts := make([]string, len(holders))
	for i, h := range holders {
		texts[i] = h.String()
	}
	return strings.Join(texts, "; ")
}

package setting

import "strings"

// Nearest returns the name among known that a person who wrote name probably
// meant, "" when none is near: one of which no more than a third of the letters
// differ (letters that changed places count once), or else one that begins with
// name. Of equally near names the first wins.
func Nearest(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if d := distance(name, k, least); d < least {
			best, least = k, d
		}
	}
	for _, k := range known {
		if best == "" && len(name) >= 3 && strings.HasPrefix(k, name) {
			best = k
		}
	}
	return best
}

// distance is the number of letters that must be put in, taken out, replaced or
// swapped with a neighbour to make b of a (optimal string alignment), or limit
// when it is at least that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			replace := last[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return min(row[len(b)], limit)
}

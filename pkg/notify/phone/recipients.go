package phone

import (
	"errors"
	"fmt"
	"slices"

	"tocsin/pkg/render"
)

// Recipients are whom one notification goes to, each there once and in the order
// in which they were named.
type Recipients struct {
	Domestic, International []string // in E.164's form
	Invalid                 []string // what is not a number, made one short line
}

// read sorts the numbers of the lists. It is an error if there are none, or more
// than most.
func read(lists []string, most int) (*Recipients, error) {
	r := new(Recipients)
	seen := map[string]bool{}
	for _, list := range lists {
		for _, text := range split(list) {
			number, err := Parse(text)
			if err != nil {
				number = render.CleanLine(text, maxNumber)
			}
			if seen[number] {
				continue
			}
			if seen[number] = true; len(seen) > most {
				return nil, fmt.Errorf("there are more than the %d phone numbers that one notification may have", most)
			}
			switch {
			case err != nil:
				r.Invalid = append(r.Invalid, number)
			case IsDomestic(number):
				r.Domestic = append(r.Domestic, number)
			default:
				r.International = append(r.International, number)
			}
		}
	}
	if len(seen) == 0 {
		return nil, errors.New("nobody to send to: the templates in to printed nothing")
	}
	return r, nil
}

// Drop takes out those that are done.
func (r *Recipients) Remove(done []string) {
	for _, list := range []*[]string{&r.Domestic, &r.International, &r.Invalid} {
		*list = slices.DeleteFunc(*list, func(unit string) bool { return slices.Contains(done, unit) })
	}
}

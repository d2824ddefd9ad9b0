package intake

import (
	"net/url"
	"unicode/utf8"
)

// maxFields bounds how many fields a form may have.
const maxFields = 1000

// openForm reads a form: an object whose members are all text.
func openForm(body []byte) (node, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return node{}, faultf("", "it is not a form: %s", cut(err.Error(), maxQuote))
	}
	return fields(values)
}

// fields makes an object of a form's or a query's fields.
func fields(values url.Values) (node, error) {
	if len(values) == 0 {
		return node{}, faultf("", "there is no field in it")
	}
	if len(values) > maxFields {
		return node{}, faultf("", "%d fields, no more than %d are taken", len(values), maxFields)
	}
	members := make(map[string]any, len(values))
	for name, all := range values {
		switch {
		case !utf8.ValidString(name) || !utf8.ValidString(all[0]):
			return node{}, faultf("", "the field %q is not UTF-8", cut(name, maxQuote))
		case len(all) > 1:
			return node{}, faultf("", "the field %q is there twice", cut(name, maxQuote))
		}
		members[name] = all[0]
	}
	return node{doc: &document{}, value: members}, nil
}

// openEither reads a body that is a form or JSON, as its media type says.
func openEither(in Input) (node, error) {
	if in.Media == Form {
		return openForm(in.Body)
	}
	return open(in.Body)
}

package webhook

import (
	"fmt"
	"reflect"

	"github.com/prometheus/alertmanager/template"

	"tocsin/pkg/render"
)

// payload is a body of the user's own: a structure in which every text is a
// template.
type payload struct {
	value any
	texts map[string]*render.Text // by source
}

// newPayload compiles the templates of value, keys of mappings among them.
func newPayload(value any, t *render.Templates) (*payload, error) {
	p := &payload{value: value, texts: map[string]*render.Text{}}
	if err := p.compile(reflect.ValueOf(value), t); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return p, nil
}

func (p *payload) compile(v reflect.Value, t *render.Templates) error {
	switch v.Kind() {
	case reflect.Interface:
		return p.compile(v.Elem(), t)
	case reflect.String:
		text, err := t.CompileText(v.String())
		p.texts[v.String()] = text
		return err
	case reflect.Slice:
		for i := range v.Len() {
			if err := p.compile(v.Index(i), t); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if err := p.compile(key, t); err != nil {
				return err
			}
			if err := p.compile(v.MapIndex(key), t); err != nil {
				return err
			}
		}
	}
	return nil
}

// execute fills the templates in, as Alertmanager's own code does it.
func (p *payload) execute(v *render.View) (any, error) {
	return template.DeepCopyWithTemplate(p.value, func(src string) (string, error) {
		return p.texts[src].Execute(v)
	})
}

package render

import (
	"os"
	"path/filepath"
	"testing"
)

// The templates of files are shared: as a part of a URL their output is encoded, and
// elsewhere it is not.
func TestTemplatesOfFilesInURLs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tmpl")
	if err := os.WriteFile(file, []byte(`{{ define "to" }}to={{ index .Alerts 0 | printf "%T" }}&i={{ (index .Alerts 0).Labels.instance }}{{ end }}`), 0o600); err != nil {
		t.Fatal(err)
	}
	templates, err := ParseTemplates(file)
	if err != nil {
		t.Fatal(err)
	}
	const src = `https://h/?{{ template "to" . }}`
	inURL, err := templates.CompileURL(src)
	if err != nil {
		t.Fatal(err)
	}
	inText, err := templates.CompileText(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		text *Text
		want string
	}{
		{"in a URL", inURL, "https://h/?to=template.Alert&i=a%3Cb"},
		{"in a text", inText, "https://h/?to=template.Alert&i=a<b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.text.Execute(newView()); got != tt.want || err != nil {
				t.Errorf("got %q and error %v, want %q", got, err, tt.want)
			}
		})
	}
}

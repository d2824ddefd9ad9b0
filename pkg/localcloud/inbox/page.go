package inbox

import (
	"html/template"
	"net/http"
	"slices"
)

// page shows the newest message first and looks for more every two seconds.
var page = template.Must(template.New("inbox").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>Tocsin inbox</title>
<style>
  body { font: 15px/1.5 system-ui, "PingFang SC", "Noto Sans CJK SC", sans-serif; background: #ededed; color: #191919; margin: 0 auto; max-width: 44rem; padding: 1rem }
  h1 { font-size: 1.1rem; font-weight: 600 }
  article { background: #fff; border-radius: 8px; padding: .7rem 1rem; margin: 0 0 .8rem; overflow-wrap: anywhere }
  header { color: #888; font-size: .8rem; margin-bottom: .3rem }
  h2 { font-size: 1rem; margin: 0 0 .4rem }
  h4 { font-size: 1.05rem; margin: .2rem 0 }
  .quote { color: #595959; border-left: 3px solid #d9d9d9; padding-left: .6rem }
  .warning { color: #fa5151 } .info { color: #07a35a } .comment { color: #888 } .mention { color: #576b95 }
  code { background: #f3f3f3; border-radius: 3px; padding: 0 .2em }
  img { max-width: 100% }
  iframe { border: 0; width: 100%; height: 24rem; background: #fff }
</style>
<h1>Delivered messages, newest first</h1>
{{ range . }}<article>
<header>{{ .At.Format "15:04:05" }} · {{ .Channel }}{{ with .To }} · {{ . }}{{ end }}</header>
{{ with .Title }}<h2>{{ . }}</h2>{{ end }}{{ .HTML }}
</article>
{{ else }}<p>Nothing yet.</p>
{{ end }}</html>
`))

// ServeHTTP shows the inbox.
func (b *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	entries := b.Entries()
	slices.Reverse(entries)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'")
	page.Execute(w, entries)
}

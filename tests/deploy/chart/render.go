// Renders a chart as helm does: `render CHART RELEASE`, more values (YAML) on standard input; prints the
// manifests. Debian has no helm, but what helm renders with: Go's templates, sprig's functions, and the
// reader of YAML that makes numbers of values what they are in helm. Of helm's own functions it has those
// that the chart uses. It is stricter in one thing: a value that is not there is an error.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type values = map[string]interface{}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func parse(text []byte) values {
	found := values{}
	check(yaml.Unmarshal(text, &found))
	return found
}

func read(parts ...string) []byte {
	text, err := os.ReadFile(filepath.Join(parts...))
	check(err)
	return text
}

// Tables are merged, everything else is replaced; null takes a value away.
func merge(below, above values) values {
	for name, value := range above {
		table, isTable := value.(values)
		old, wasTable := below[name].(values)
		switch {
		case value == nil:
			delete(below, name)
		case isTable && wasTable:
			below[name] = merge(old, table)
		default:
			below[name] = value
		}
	}
	return below
}

func functions(all *template.Template) template.FuncMap {
	known := sprig.TxtFuncMap()
	// Helm leaves these out too: a chart shall not read the machine that renders it.
	delete(known, "env")
	delete(known, "expandenv")
	known["include"] = func(name string, data interface{}) (string, error) {
		var text bytes.Buffer
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	known["toJson"] = func(value interface{}) (string, error) {
		text, err := json.Marshal(value)
		return string(text), err
	}
	return known
}

func main() {
	if len(os.Args) != 3 {
		check(fmt.Errorf("usage: render CHART RELEASE <VALUES"))
	}
	folder, release := os.Args[1], os.Args[2]
	more, err := io.ReadAll(os.Stdin)
	check(err)
	chart := values{}
	for name, value := range parse(read(folder, "Chart.yaml")) {
		chart[strings.ToUpper(name[:1])+name[1:]] = value
	}
	data := values{
		"Values":  merge(parse(read(folder, "values.yaml")), parse(more)),
		"Chart":   chart,
		"Release": values{"Name": release, "Namespace": "default", "Service": "Helm"},
	}
	files, err := filepath.Glob(filepath.Join(folder, "templates", "*"))
	check(err)
	sort.Strings(files)
	all := template.New("chart").Option("missingkey=error")
	all.Funcs(functions(all))
	for _, file := range files {
		_, err := all.New(filepath.Base(file)).Parse(string(read(file)))
		check(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var text bytes.Buffer
		check(all.ExecuteTemplate(&text, name, data))
		if strings.HasSuffix(name, ".yaml") {
			fmt.Printf("---\n# %s\n%s\n", name, text.String())
		}
	}
}

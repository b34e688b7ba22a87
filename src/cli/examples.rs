//! An example of every command, which its help ends with. One after the other, in the order of the help, from the folder of the sources, they are a
//! small study; a test does all of them so.

/// A command's example; blank for one that has none, which a test forbids.
pub fn of(command: &str) -> &'static str {
    match command {
        "import" => {
            "genelift import examples/brca/expression.csv.gz -o brca.gex \\\n      --labels examples/brca/pam50.csv"
        }
        "info" => "genelift info brca.gex",
        "export" => "genelift export brca.gex -o brca.h5ad",
        "prepare" => "genelift prepare brca.gex -o ready.gex --min-sd 0.5 --dedup",
        "simulate" => "genelift simulate --samples 500 --genes 1000 --studies 10 -o made-up.gex",
        "split" => "genelift split brca.gex -o parts --fractions 0.8,0.2",
        "train" => {
            "genelift train parts/train.gex -o model.safetensors --epochs 30 \\\n      --validation 0.1 --history history.tsv"
        }
        "embed" => "genelift embed model.safetensors parts/test.gex -o embedding.tsv \\\n      --label pam50",
        "reconstruct" => "genelift reconstruct model.safetensors parts/test.gex -o reconstructed.gex",
        "evaluate" => "genelift evaluate model.safetensors parts/test.gex -o evaluation",
        "attribute" => "genelift attribute model.safetensors parts/train.gex -o scores.tsv",
        "select" => "genelift select --store parts/train.gex -n 100 -o landmarks.tsv",
        "fit" => "genelift fit parts/train.gex --landmarks landmarks.tsv \\\n      -o predictor.safetensors",
        "predict" => {
            "genelift predict predictor.safetensors parts/test.gex -o completed.gex \\\n      --replace --intervals intervals.tsv"
        }
        "compare" => {
            "genelift compare --train parts/train.gex --test parts/test.gex -o comparison \\\n      \
             --landmarks mine=landmarks.tsv --subsets l1000=l1000 --size 100 \\\n      --random-draws 5"
        }
        "cluster" => {
            "genelift cluster parts/test.gex --label pam50 -o clusters \\\n      --model model.safetensors --landmarks landmarks.tsv"
        }
        "enrich" => "genelift enrich landmarks.tsv --store parts/train.gex -o enrichment.tsv",
        "explain" => {
            "genelift explain ESR1 neuron:3 --store parts/train.gex \\\n      --model model.safetensors"
        }
        "figures" => "genelift figures history.tsv evaluation comparison clusters -o figures",
        "init" => {
            "genelift init examples/brca/expression.csv.gz examples/brca/pam50.csv \\\n      -o study.toml"
        }
        "run" => {
            "genelift run study.toml --set output=study --set train.epochs=20 \\\n      --set compare.random-draws=5"
        }
        "report" => "genelift report study -o study.html",
        "verify" => "genelift verify brca.gex model.safetensors landmarks.tsv comparison",
        "bench" => {
            "genelift bench --genes 500 --samples 600 --landmarks 50 --batch 32,256 \\\n      --rounds 3 --side 512"
        }
        "devices" => "genelift devices",
        "completions" => "genelift completions bash > genelift.bash",
        "man" => "genelift man man1",
        _ => "",
    }
}

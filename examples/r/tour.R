# A run's folder in R: Rscript examples/r/tour.R runs/brca EMBEDDING.tsv, the latter of `genelift embed RUN/model.safetensors RUN/data.gex`.

arguments <- commandArgs(trailingOnly = TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
suppressPackageStartupMessages(source(file.path(here, "genelift.R")))
run <- arguments[1]
at <- function(...) file.path(run, ...)

store <- read_store(at("data.gex"))
cat(sprintf("store: %d samples x %d genes, mean %.4f\n", nrow(store$matrix), ncol(store$matrix), mean(store$matrix)))

model <- read_safetensors(at("model.safetensors"))
widths <- vapply(grep("weight", names(model$tensors), value = TRUE), function(name) dim(model$tensors[[name]])[1], 0L)
cat("model: widths", paste(c(length(model$tensors$input.offset), widths), collapse = "-"), "with", paste(fromJSON(model$metadata$activations), collapse = ", "), "\n")

# The bottleneck, computed here in double precision from the file's tensors, beside what `genelift embed` says.
embedding <- fread(arguments[2], colClasses = list(character = "sample_id"))
bottleneck <- forward(model, store$matrix, which.min(widths))
difference <- max(abs(bottleneck - as.matrix(embedding[, -1])[, seq_len(ncol(bottleneck))]))
cat(sprintf("bottleneck: %d x %d, within %s of genelift's\n", nrow(bottleneck), ncol(bottleneck), if (difference < 1e-5) "1e-5" else format(difference)))
stopifnot(difference < 1e-5)

scores <- read_result(at("scores.tsv"))
landmarks <- read_result(at("landmarks.tsv"))
cat(sprintf("scores: %d genes; landmarks: %d, by %s; %d of the landmarks are among the first %d scores\n", nrow(scores), nrow(landmarks),
  attr(landmarks, "about")$about$strategy, sum(landmarks$gene_id %in% scores$gene_id[seq_len(nrow(landmarks))]), nrow(landmarks)))
stopifnot(!is.unsorted(-scores$score), all(landmarks$gene_id %in% colnames(store$matrix)))

tables <- read_report(at("report.html"))
cat("report:", paste(sprintf("%s (%d x %d)", names(tables), vapply(tables, nrow, 0L), vapply(tables, ncol, 0L)), collapse = ", "), "\n")

files <- list.files(at("comparison"), pattern = "[.]tsv$", recursive = TRUE)
cat("comparison:", paste(files, collapse = ", "), "\n")

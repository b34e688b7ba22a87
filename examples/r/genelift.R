# Reads what genelift writes, with data.table for tables, jsonlite for JSON, and base R for everything else.
#
#   source("genelift.R")
#   store <- read_store("brca.gex")          # list(matrix, genes, samples, info); the matrix has the ids as dimnames
#   model <- read_safetensors("model.safetensors")   # list(tensors, metadata)
#   scores <- read_result("scores.tsv")      # a data.table, with what it was made from as attribute "about"
#   tables <- read_report("report.html")     # the tables of a run's page, by name

library(data.table)
library(jsonlite)

# A NumPy array of <f4, <f2 or <f8. R's arrays are column-major, so that a C-order array comes with its dimensions turned, and is turned back.
read_npy <- function(path) {
  file <- file(path, "rb")
  on.exit(close(file))
  magic <- readBin(file, "raw", 6)
  stopifnot("not a .npy file" = identical(magic, as.raw(c(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59))))
  version <- readBin(file, "integer", 2, size = 1)
  length <- if (version[1] == 1) readBin(file, "integer", 1, size = 2, signed = FALSE, endian = "little") else readBin(file, "integer", 1, size = 4, endian = "little")
  header <- rawToChar(readBin(file, "raw", length))
  field <- function(pattern) regmatches(header, regexec(pattern, header))[[1]][2]
  shape <- as.integer(strsplit(gsub("[^0-9,]", "", field("'shape': \\(([^)]*)\\)")), ",")[[1]])
  values <- read_floats(file, prod(shape), field("'descr': '([^']*)'"))
  if (field("'fortran_order': (True|False)") == "True") return(array(values, shape))
  aperm(array(values, rev(shape)))
}

read_floats <- function(file, n, type) {
  switch(type,
    "<f8" = readBin(file, "numeric", n, size = 8, endian = "little"),
    "<f4" = readBin(file, "numeric", n, size = 4, endian = "little"),
    "<f2" = half(readBin(file, "integer", n, size = 2, signed = FALSE, endian = "little")),
    "<i4" = readBin(file, "integer", n, size = 4, endian = "little"),
    "<i8" = { halves <- matrix(readBin(file, "integer", 2 * n, size = 4, endian = "little"), 2); halves[1, ] %% 2^32 + halves[2, ] * 2^32 },
    stop("values of type ", type, " are not read"))
}

# Half precision, of which R knows nothing: a sign, five bits of exponent, ten of mantissa.
half <- function(bits) {
  sign <- ifelse(bits >= 32768, -1, 1)
  exponent <- (bits %/% 1024) %% 32
  mantissa <- bits %% 1024
  sign * ifelse(exponent == 0, mantissa * 2^-24, ifelse(exponent == 31, ifelse(mantissa == 0, Inf, NaN), (1 + mantissa / 1024) * 2^(exponent - 15)))
}

# The values of a sparse store, in memory whole; Matrix::sparseMatrix(i = rows, j = genes, x = values) takes the same three where they are many.
read_pairs <- function(path, n_samples, n_genes) {
  rows <- rep(seq_len(n_samples), diff(read_npy(file.path(path, "indptr.npy"))))
  matrix <- matrix(0, n_samples, n_genes)
  matrix[cbind(rows, read_npy(file.path(path, "indices.npy")) + 1)] <- read_npy(file.path(path, "data.npy"))
  matrix
}

# A store: samples x genes.
read_store <- function(path) {
  info <- fromJSON(file.path(path, "store.json"))
  genes <- fread(file.path(path, "genes.tsv"), colClasses = "character", na.strings = NULL, quote = "")
  samples <- fread(file.path(path, "samples.tsv"), colClasses = "character", na.strings = NULL, quote = "")
  matrix <- if (is.null(info$pairs)) read_npy(file.path(path, "matrix.npy")) else read_pairs(path, nrow(samples), nrow(genes))
  stopifnot(nrow(matrix) == nrow(samples), ncol(matrix) == nrow(genes))
  dimnames(matrix) <- list(samples[[1]], genes[[1]])
  list(matrix = matrix, genes = genes, samples = samples, info = info)
}

# A model, checkpoint or predictor.
read_safetensors <- function(path) {
  file <- file(path, "rb")
  on.exit(close(file))
  length <- sum(readBin(file, "integer", 2, size = 4, endian = "little") * c(1, 2^32))
  header <- fromJSON(rawToChar(readBin(file, "raw", length)), simplifyVector = FALSE)
  metadata <- lapply(header[["__metadata__"]], identity)
  header[["__metadata__"]] <- NULL
  start <- 8 + length
  tensors <- lapply(header, function(entry) {
    stopifnot("only F32 is read" = entry$dtype == "F32")
    shape <- as.integer(unlist(entry$shape))
    seek(file, start + entry$data_offsets[[1]])
    values <- read_floats(file, prod(shape), "<f4")
    if (length(shape) < 2) values else aperm(array(values, rev(shape)))
  })
  list(tensors = tensors, metadata = metadata)
}

# Scores, landmarks, any table of results; what stands beside it as the attribute "about".
read_result <- function(path) {
  table <- fread(path, quote = "", colClasses = list(character = "gene_id"))
  beside <- paste0(path, ".json")
  if (file.exists(beside)) setattr(table, "about", fromJSON(beside))
  table[]
}

# The tables of a run's page.
read_report <- function(path) {
  page <- paste(readLines(path, encoding = "UTF-8", warn = FALSE), collapse = "\n")
  scripts <- regmatches(page, gregexpr("(?s)<script type=\"application/json\" class=data>.*?</script>", page, perl = TRUE))[[1]]
  read <- lapply(scripts, function(script) {
    data <- fromJSON(gsub("^<script[^>]*>|</script>$", "", script), simplifyVector = FALSE)
    cell <- function(value) if (is.null(value)) NA else value
    columns <- lapply(seq_along(data$columns), function(i) unlist(lapply(data$rows, function(row) cell(row[[i]]))))
    table <- as.data.table(columns)
    if (length(columns) == length(data$columns) && ncol(table)) setnames(table, make.unique(unlist(data$columns)))
    list(id = data$id, table = table)
  })
  setNames(lapply(read, `[[`, "table"), vapply(read, `[[`, "", "id"))
}

# What a model makes of samples x genes, up to layer `layers`: the bottleneck, or with all of them the output.
forward <- function(model, matrix, layers = NULL) {
  activations <- fromJSON(model$metadata$activations)
  genes <- fromJSON(model$metadata$genes)
  tensors <- model$tensors
  x <- sweep(sweep(matrix[, genes, drop = FALSE], 2, tensors$input.offset), 2, tensors$input.scale, "*")
  for (layer in seq_len(if (is.null(layers)) length(activations) else layers)) {
    z <- sweep(x %*% t(tensors[[sprintf("layers.%d.weight", layer - 1)]]), 2, tensors[[sprintf("layers.%d.bias", layer - 1)]], "+")
    x <- switch(activations[layer], sigmoid = 1 / (1 + exp(-z)), tanh = tanh(z), relu = pmax(z, 0), softplus = log1p(exp(z)), linear = z)
  }
  x
}
